export const ADMITTED_PREDICATE = 'sallyport/admitted/v1';
export const REFUSED_PREDICATE = 'sallyport/refused/v1';
export const HELD_PREDICATE = 'sallyport/held/v1';
export const ROLLED_BACK_PREDICATE = 'sallyport/rolled-back/v1';

/** What became of a bundle, by the predicate type of the statement that says so (docs/spec/admission.md). */
export const OUTCOMES: ReadonlyMap<string, string> = new Map([
  [ADMITTED_PREDICATE, 'admitted'],
  [REFUSED_PREDICATE, 'refused'],
  [HELD_PREDICATE, 'held'],
  [ROLLED_BACK_PREDICATE, 'rolled-back'],
]);
