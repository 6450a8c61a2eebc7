import type { Expr } from './library.ts'

/** What stands in a node of one kind. */
export type Kind<Case extends string> = Extract<Expr['exprKind'], { case: Case }>['value']

/** A call, in the place of `expr`. */
export function call(expr: Expr, name: string, args: readonly Expr[], target?: Expr): Expr {
  const value: Kind<'callExpr'> = {
    $typeName: 'cel.expr.Expr.Call',
    function: name,
    args: [...args],
    ...(target !== undefined && { target }),
  }
  return { ...expr, exprKind: { case: 'callExpr', value } }
}

/** A literal text or number, in the place of `expr`. */
export function literal(expr: Expr, value: string | number): Expr {
  const constantKind =
    typeof value === 'string'
      ? ({ case: 'stringValue', value } as const)
      : ({ case: 'doubleValue', value } as const)
  return {
    ...expr,
    exprKind: { case: 'constExpr', value: { $typeName: 'cel.expr.Constant', constantKind } },
  }
}

/** The text of a literal; undefined when `expr` is anything else. */
export function textOf(expr: Expr | undefined): string | undefined {
  const found = literalOf(expr)
  return found?.case === 'stringValue' ? found.value : undefined
}

export function isNull(expr: Expr | undefined): boolean {
  return literalOf(expr)?.case === 'nullValue'
}

function literalOf(expr: Expr | undefined): Kind<'constExpr'>['constantKind'] | undefined {
  return expr?.exprKind.case === 'constExpr' ? expr.exprKind.value.constantKind : undefined
}

/** The item of `@result + [item]`, which is how macros make lists and nobody else can write. */
export function appended([list, items]: readonly Expr[]): Expr | undefined {
  const made = list?.exprKind.case === 'identExpr' && list.exprKind.value.name === '@result'
  return made && items?.exprKind.case === 'listExpr' ? items.exprKind.value.elements[0] : undefined
}
