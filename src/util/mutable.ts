/** The same, but to be changed in place by who owns it. */
export type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
