/** Answers to questions, so that the same one is not asked again and again. */
export interface Answers<T> {
  /** The answer that is known, that of an equal question on its way, or what `ask` brings. */
  get(question: string, ask: () => Promise<T>): Promise<T>;
}

export interface AnswersOptions {
  /** How long an answer is known, in ms; 0 for not at all. */
  readonly keepFor: number;
  /** Which rejections are answers, to be known like others. */
  readonly isAnswer: (error: unknown) => boolean;
  /** Answers that are known at most; beyond it the oldest are forgotten. Default: 10,000. */
  readonly most?: number;
}

/** Makes an empty store of answers. */
export function createAnswers<T>({ keepFor, isAnswer, most = 10_000 }: AnswersOptions): Answers<T> {
  const pending = new Map<string, Promise<T>>();
  // In the order in which they came, which is that in which they end.
  const known = new Map<string, { readonly answer: Promise<T>; readonly until: number }>();
  const forget = (): void => {
    for (const [question, { until }] of known) {
      if (until > Date.now() && known.size <= most) break;
      known.delete(question);
    }
  };
  const keep = (question: string, answer: Promise<T>): void => {
    if (keepFor === 0) return;
    known.delete(question);
    known.set(question, { answer, until: Date.now() + keepFor });
    forget();
  };
  return {
    get(question, ask) {
      forget();
      const found = known.get(question)?.answer ?? pending.get(question);
      if (found) return found;
      const answer = ask();
      pending.set(question, answer);
      answer
        .then(
          () => keep(question, answer),
          (error: unknown) => {
            if (isAnswer(error)) keep(question, answer);
          },
        )
        .finally(() => pending.delete(question));
      return answer;
    },
  };
}
