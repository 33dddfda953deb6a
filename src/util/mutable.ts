/** The same type with writable properties, for its owner. */
export type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
