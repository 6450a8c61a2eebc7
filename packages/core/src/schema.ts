// The one importer of valibot: these are the parts in use, and all of them abort early and are closed.
export {
  array,
  check,
  custom,
  integer,
  literal,
  maxLength,
  maxValue,
  minLength,
  minValue,
  number,
  object,
  optional,
  picklist,
  pipe,
  record,
  regex,
  strictObject,
  string,
  unknown,
} from 'valibot'
export type { GenericSchema, InferOutput } from 'valibot'
import { type GenericSchema, getDotPath, type InferOutput, safeParse } from 'valibot'
import type { ErrorCode } from './error.ts'
import { KernelError } from './error.ts'

/**
 * Checks `input` against a schema, or throws a KernelError that names the first wrong member; `place`
 * is where the input itself stands, when it is a part of something.
 */
export function parse<S extends GenericSchema>(
  schema: S,
  input: unknown,
  code: ErrorCode,
  what: string,
  place?: string,
): InferOutput<S> {
  const result = safeParse(schema, input, { abortEarly: true })
  if (result.success) return result.output
  const [issue] = result.issues
  const at = [place, getDotPath(issue)].filter((part) => part).join('.') || what
  const unknownMember = issue.expected === 'never'
  throw new KernelError(
    code,
    unknownMember
      ? `${what} has a member that this version does not know: remove it`
      : `${what}: ${issue.message}`,
    { at },
  )
}
