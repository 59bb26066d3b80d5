import { type Home, homeAt } from '#kernel';

/** A side's home, or the path of its folder. */
export type Place = Home | string;

export function homeOf(place: Place): Home {
  return typeof place === 'string' ? homeAt(place) : place;
}
