declare const brand: unique symbol

/** A `T` that only the function which checked it can make; strings that must not be mixed get one each. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }
