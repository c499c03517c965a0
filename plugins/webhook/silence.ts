/**
 * There is no answer that could be believed: no service, one that is too slow, or one that said something else than the
 * protocol knows. The message says which, for the operator.
 */
export class Silence extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "Silence";
  }
}
