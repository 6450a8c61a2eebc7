import type { Expr } from './library.ts'
import { limits } from './limits.ts'
import { appended, call, isNull, type Kind, literal, textOf } from './nodes.ts'
import { parseSource, tooDeep } from './source.ts'
import { instead, operators, own, usage, words } from './vocabulary.ts'
import { zoneOf } from './zone.ts'

interface Scope {
  readonly names: ReadonlySet<string>
  readonly depth: number
  readonly loops: number
}

export interface Checked {
  readonly expr: Expr
  /** The variables that it names, those of its loops among them. */
  readonly uses: ReadonlySet<string>
}

/**
 * An expression of which every node is known, allowed and counted, moved to the functions of the gate:
 * it reaches members of JSON alone, and every turn of a loop is paid for. Throws `COMPILE_FAILED`.
 */
export function check(source: string, variables: readonly string[]): Checked {
  const { expr: root, refuse } = parseSource(source)
  const uses = new Set<string>()
  let nodes = 0
  const expr = visit(root, { names: new Set(variables), depth: 0, loops: 0 })
  return { expr, uses }

  function visit(expr: Expr | undefined, { names, depth, loops }: Scope): Expr {
    if (expr === undefined) return refuse('a part is missing')
    if (depth === limits.depth) refuse(tooDeep, expr)
    if (++nodes > limits.nodes) refuse(`an expression has at most ${limits.nodes} nodes`, expr)
    const scope: Scope = { names, depth: depth + 1, loops }
    const { exprKind: kind } = expr
    switch (kind.case) {
      case 'constExpr':
        return visitLiteral(expr, kind.value)
      case 'identExpr':
        return visitName(expr, kind.value.name, scope)
      case 'selectExpr': {
        const { operand, field, testOnly } = kind.value
        return call(expr, testOnly ? '@has' : '@at', [visit(operand, scope), literal(expr, field)])
      }
      case 'callExpr':
        return visitCall(expr, kind.value, scope)
      case 'listExpr': {
        const elements = kind.value.elements.map((element) => visit(element, scope))
        return { ...expr, exprKind: { case: 'listExpr', value: { ...kind.value, elements } } }
      }
      case 'structExpr':
        return visitMap(expr, kind.value, scope)
      case 'comprehensionExpr':
        return visitLoop(expr, kind.value, scope)
      case undefined:
        return refuse('a part is missing', expr)
    }
  }

  function visitLiteral(expr: Expr, { constantKind: found }: Kind<'constExpr'>): Expr {
    if (found.case === 'int64Value') {
      const fits = BigInt.asIntN(64, found.value) === found.value
      if (!fits) refuse('an integer has at most 64 bits', expr)
    } else if (found.case === 'doubleValue') {
      if (!Number.isFinite(found.value)) refuse('a number is finite', expr)
    } else if (found.case === 'uint64Value' || found.case === 'bytesValue') {
      const name = found.case === 'uint64Value' ? 'uint' : 'bytes'
      refuse(`no literal of ${name}: ${own(instead, name) ?? ''}`, expr)
    }
    return expr
  }

  function visitName(expr: Expr, name: string, { names }: Scope): Expr {
    const hint = own(instead, name) ?? `there are ${variables.join(' ')}`
    if (!names.has(name)) refuse(`no variable "${name}": ${hint}`, expr)
    uses.add(name)
    return expr
  }

  function visitCall(expr: Expr, value: Kind<'callExpr'>, scope: Scope): Expr {
    const { function: name, target, args } = value
    const operator = own(operators, name)
    if (operator !== undefined) return visitOperator(expr, operator, args, scope)
    const word = own(words, name)
    if (word === undefined) {
      const hint = own(instead, name) ?? `there are ${Object.keys(words).join(' ')}`
      return refuse(`no function "${name}": ${hint}`, expr)
    }
    const counts = target === undefined ? word.plain : word.method
    if (counts?.includes(args.length) !== true) refuse(`write ${usage(name, word)}`, expr)
    if (word.zone) for (const arg of args) checkZone(arg)
    const read = (arg: Expr): Expr => (word.reads ? call(arg, '@scalar', [arg]) : arg)
    const visited = args.map((arg) => read(visit(arg, scope)))
    return call(expr, name, visited, target && visit(target, scope))
  }

  function visitOperator(expr: Expr, name: string, args: readonly Expr[], scope: Scope): Expr {
    if (name === '@unequal' && args.some(isNull)) {
      refuse('!= null is never true: two types are an error; has(args.x) asks for a member', expr)
    }
    const item = name === '_+_' ? appended(args) : undefined
    if (item !== undefined) return call(expr, '@push', [visit(args[0], scope), visit(item, scope)])
    const parts = args.map((arg) => visit(arg, scope))
    return call(expr, name, parts)
  }

  function checkZone(expr: Expr): void {
    const name = textOf(expr)
    if (name === undefined) {
      return refuse("a time zone is a literal, as 'Europe/Paris' or '+02:00'", expr)
    }
    if (zoneOf(name) === undefined) refuse(`no time zone "${name}" is known here`, expr)
  }

  function visitMap(expr: Expr, value: Kind<'structExpr'>, scope: Scope): Expr {
    if (value.messageName !== '') {
      refuse(`no message "${value.messageName}": JSON has none, write a map`, expr)
    }
    const keys = new Set<string>()
    const entries = value.entries.map((entry) => {
      const key = textOf(entry.keyKind.case === 'mapKey' ? entry.keyKind.value : undefined)
      if (key === undefined) return refuse('a key of a map is a literal text, as in JSON', expr)
      if (keys.has(key)) refuse(`the key "${key}" stands twice`, expr)
      keys.add(key)
      return { ...entry, value: visit(entry.value, scope) }
    })
    return { ...expr, exprKind: { case: 'structExpr', value: { ...value, entries } } }
  }

  function visitLoop(expr: Expr, value: Kind<'comprehensionExpr'>, scope: Scope): Expr {
    const { iterVar, accuVar, accuInit } = value
    const loops = scope.loops + 1
    if (loops > limits.loops) refuse(`loops nest at most ${limits.loops} deep`, expr)
    if (scope.names.has(iterVar)) refuse(`"${iterVar}" is taken: name the variable otherwise`, expr)
    const iterRange = call(expr, '@range', [visit(value.iterRange, scope)])
    const makesList = accuInit?.exprKind.case === 'listExpr'
    const start = makesList ? call(expr, '@list', []) : visit(accuInit, scope)
    const inner: Scope = { ...scope, names: new Set([...scope.names, iterVar, accuVar]), loops }
    const before = nodes
    const condition = visit(value.loopCondition, inner)
    const loopStep = visit(value.loopStep, inner)
    const loopCondition = call(expr, '@turn', [condition, literal(expr, nodes - before)])
    const result = visit(value.result, inner)
    const loop = { ...value, iterRange, accuInit: start, loopCondition, loopStep, result }
    return { ...expr, exprKind: { case: 'comprehensionExpr', value: loop } }
  }
}
