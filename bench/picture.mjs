const row = 26
const width = 900
const from = 430
const scale = 300

/** Bars of figures that have a limit: the bar is how much of the limit was used, 1 is the line. */
export function drawFigures({ machine, figures }) {
  const drawn = figures.filter(({ limit }) => limit !== undefined)
  const height = 70 + drawn.length * row
  const bars = drawn.map(({ id, what, rules, value, limit }, i) => {
    const y = 60 + i * row
    const used = limit.sense === '≤' ? value / limit.value : limit.value / value
    const colour = used <= 1 ? '#2f855a' : '#c53030'
    const label = `${id} ${what}${rules === undefined ? '' : `, ${rules} rules`}`
    return `<text x="${from - 10}" y="${y + 14}" text-anchor="end">${escape(label)}</text>
<rect x="${from}" y="${y}" width="${Math.min(used, 1.5) * scale}" height="18" fill="${colour}"/>
<text x="${from + Math.min(used, 1.5) * scale + 6}" y="${y + 14}">${Number(value.toPrecision(3))} (${limit.sense} ${limit.value})</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="24" font-size="15">Share of each limit that is used</text>
<text x="16" y="42">${escape(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`)}</text>
${bars.join('\n')}
<line x1="${from + scale}" x2="${from + scale}" y1="52" y2="${height - 8}" stroke="#2d3748" stroke-dasharray="4"/>
</svg>
`
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
