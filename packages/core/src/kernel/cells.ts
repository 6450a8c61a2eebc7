import { type Cell, createCell, type Standing } from '../policy/cell.ts'
import { type Scope, scopeKey } from '../trust/scope.ts'

/** The cell of every scope that ever had policy. */
export interface Cells {
  /** Makes the cell when there is none: only for whom policy comes. */
  of(scope: Scope): Cell
  /** Makes none, so that a caller cannot grow the table. */
  read(scope: Scope): Standing
  scopes(): readonly Scope[]
}

export function createCells(): Cells {
  const cells = new Map<string, { readonly scope: Scope; readonly cell: Cell }>()
  return {
    of(scope) {
      const key = scopeKey(scope)
      let known = cells.get(key)
      if (known === undefined) cells.set(key, (known = { scope, cell: createCell() }))
      return known.cell
    },
    read: (scope) => cells.get(scopeKey(scope))?.cell.read() ?? { status: 'no_policy' },
    scopes: () => [...cells.values()].map(({ scope }) => scope),
  }
}
