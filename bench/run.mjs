// npm run bench [-- name …] [--json] [--rounds N] [--receipts N]: runs each measurement in fresh processes, takes the
// median of each figure, prints a table, and writes JSON and a picture into bench/results/.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { drawFigures } from './picture.mjs'

const here = new URL('.', import.meta.url).pathname
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    // Of the long ledger that `start` and `verify` are measured on.
    receipts: { type: 'string', default: '1000000' },
  },
})

const known = readdirSync(join(here, 'measurements')).map((name) => name.replace(/\.ts$/, ''))
const unknown = positionals.filter((name) => !known.includes(name))
if (unknown.length > 0) {
  console.error(`no measurement ${unknown.join(', ')}: there are ${known.join(', ')}`)
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'helm-bench-'))
try {
  await main(positionals.length > 0 ? [...new Set(positionals.flatMap(withKin))] : known)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function main(names) {
  await build({
    entryPoints: names.map((name) => join(here, 'measurements', `${name}.ts`)),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['@helm/source'],
    logLevel: 'error',
  })
  const figures = []
  for (const [name, argument] of names.flatMap(variants)) {
    const rounds = []
    for (let round = 0; round < Number(values.rounds); round++) {
      process.stderr.write(`${name} ${round + 1}/${values.rounds}\r`)
      const output = execFileSync('node', ['--expose-gc', join(folder, `${name}.mjs`), argument], {
        encoding: 'utf8',
        maxBuffer: 1 << 24,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      rounds.push(JSON.parse(output))
    }
    for (const [i, figure] of rounds[0].entries()) {
      figures.push({ ...figure, value: median(rounds.map((round) => round[i].value)) })
    }
  }
  const document = { machine: machine(), figures }
  const results = join(here, 'results')
  mkdirSync(results, { recursive: true })
  writeFileSync(join(results, 'figures.json'), `${JSON.stringify(document, null, 2)}\n`)
  writeFileSync(join(results, 'figures.svg'), drawFigures(document))
  if (values.json) console.log(JSON.stringify(document))
  else print(document)
}

/** P3, P4 and P5 are three sides of one thing. */
function withKin(name) {
  return name === 'swap' ? ['swap', 'stall', 'storm'] : [name]
}

/** What is measured cold needs a process for each size. */
function variants(name) {
  const sizes = {
    swap: ['1000', '10000', '100000'],
    start: ['0', values.receipts],
    verify: [values.receipts],
  }
  return (sizes[name] ?? ['']).map((size) => [name, size])
}

function machine() {
  const [cpu] = cpus()
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  return { cpu: cpu?.model ?? 'unknown', cores: cpus().length, memory, node: process.version }
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function print({ machine, figures }) {
  console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.memory}, Node ${machine.node}\n`)
  for (const { id, what, rules, value, limit, unit } of figures) {
    const size = rules === undefined ? '' : `${rules.toLocaleString('en')} rules`
    const bound = limit === undefined ? '' : `${limit.sense} ${limit.value}`
    const met =
      limit === undefined
        ? ''
        : (limit.sense === '≤' ? value <= limit.value : value >= limit.value)
          ? 'met'
          : 'NOT MET'
    const amount = `${Number(value.toPrecision(4)).toLocaleString('en')} ${unit}`
    console.log(
      `${id.padEnd(4)} ${what.padEnd(52)} ${size.padStart(14)} ${amount.padStart(16)}  ${bound.padEnd(8)} ${met}`,
    )
  }
}
