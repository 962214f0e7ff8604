type Present<T> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K]
} & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** A frozen copy without the properties that are `undefined`, which `exactOptionalPropertyTypes` tells from absent ones. */
export function dropAbsent<T extends object>(from: T): Readonly<Present<T>> {
  const present = Object.entries(from).filter(([, value]) => value !== undefined)
  return Object.freeze(Object.fromEntries(present)) as Readonly<Present<T>>
}
