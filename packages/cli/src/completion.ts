import { type Command, commonFlags } from './command.ts'
import { type Commands, program } from './help.ts'

// Scripts are made of the table of commands, so that they offer what the program takes. Names and
// flags are of a-z and - alone and need no quotes.

const fn = `_${program.replaceAll('-', '_')}`

/** The completion script of each shell, as lines. */
export const shells: Readonly<Record<string, (commands: Commands) => readonly string[]>> = {
  bash: (commands) => [
    `# ${program} completion for bash`,
    `${fn}() {`,
    '  local cur=${COMP_WORDS[COMP_CWORD]} before="" next="" i',
    '  for ((i = 1; i < COMP_CWORD; i++)); do before+=" ${COMP_WORDS[i]}"; done',
    '  case "$before " in',
    ...leaves(commands).map(
      ([name, command]) =>
        `    " ${name} "*) [[ $cur == -* ]] && next="${flagsOf(command).join(' ')}" ;;`,
    ),
    ...groups(commands).map(([name, words]) => `    "${name} ") next="${words.join(' ')}" ;;`),
    '  esac',
    '  COMPREPLY=($(compgen -W "$next" -- "$cur"))',
    '}',
    `complete -o default -F ${fn} ${program}`,
  ],
  zsh: (commands) => [
    `#compdef ${program}`,
    `${fn}() {`,
    '  local before=" ${(j: :)words[2,CURRENT-1]}"',
    '  case "${before% } " in',
    ...leaves(commands).map(
      ([name, command]) =>
        `    " ${name} "*) [[ $PREFIX == -* ]] && compadd -- ${flagsOf(command).join(' ')} || _files ;;`,
    ),
    ...groups(commands).map(([name, words]) => `    "${name} ") compadd -- ${words.join(' ')} ;;`),
    '  esac',
    '}',
    `compdef ${fn} ${program}`,
  ],
  fish: (commands) => {
    const [, ...inner] = groups(commands)
    const [[, tops] = ['', []]] = groups(commands)
    return [
      `# ${program} completion for fish`,
      ...tops.map((word) => `complete -c ${program} -f -n __fish_use_subcommand -a ${word}`),
      ...inner.flatMap(([name, words]) => {
        const here = `__fish_seen_subcommand_from${name}; and not __fish_seen_subcommand_from ${words.join(' ')}`
        return words.map((word) => `complete -c ${program} -f -n '${here}' -a ${word}`)
      }),
      ...leaves(commands).flatMap(([name, command]) => {
        const here = name.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`)
        return flagsOf(command).map(
          (flag) => `complete -c ${program} -n '${here.join('; and ')}' -l ${flag.slice(2)}`,
        )
      }),
    ]
  },
}

/** Commands by name, longer names before those that they begin with. */
function leaves(commands: Commands): readonly (readonly [string, Command])[] {
  return Object.entries(commands).sort(([a], [b]) => (a < b ? 1 : -1))
}

/** What can follow no word, and the first word of a longer name; each name with a space before it. */
function groups(commands: Commands): readonly (readonly [string, readonly string[]])[] {
  const names = Object.keys(commands).sort()
  const following = new Map<string, Set<string>>([['', new Set()]])
  for (const name of names) {
    const [first = '', second] = name.split(' ')
    following.get('')?.add(first)
    if (second === undefined) continue
    const group = following.get(` ${first}`) ?? new Set()
    following.set(` ${first}`, group.add(second))
  }
  return [...following].map(([name, words]) => [name, [...words]])
}

function flagsOf({ flags }: Command): readonly string[] {
  return Object.keys({ ...flags, ...commonFlags }).map((flag) => `--${flag}`)
}
