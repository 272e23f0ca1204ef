// Codex as it is installed, with its defaults, on a plain model: it runs the commands and tools that the model calls.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { tmpdir } from 'node:os'

const folder = mkdtempSync(join(tmpdir(), 'codex-'))
const [home, work] = [join(folder, 'home'), join(folder, 'work')]
for (const one of [home, work]) mkdirSync(one)
const config = `
model = "plain"
model_provider = "groundwork"
[model_providers.groundwork]
name = "Groundwork"
base_url = "${process.env.OPENAI_BASE_URL}"
env_key = "GROUNDWORK_KEY"
wire_api = "responses"
`
writeFileSync(join(home, 'config.toml'), config)
const env = { ...process.env, CODEX_HOME: home, GROUNDWORK_KEY: process.env.OPENAI_API_KEY }

// What a session ends with, and every item of it that is over.
function run(...given) {
  const command = ['exec', '--skip-git-repo-check', '--json', ...given]
  const done = spawnSync(resolve('node_modules/.bin/codex'), command, { cwd: work, env, encoding: 'utf8', input: '', timeout: 120_000 })
  assert.equal(done.status, 0, done.stdout + done.stderr)
  const events = done.stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
  assert.equal(events.at(-1).type, 'turn.completed', done.stdout)
  const items = events.filter((event) => event.type === 'item.completed').map((event) => event.item)
  return { said: items.findLast((item) => item.type === 'agent_message').text, items, usage: events.at(-1).usage }
}

const ran = run('CALL exec_command {"cmd": "echo kestrel-$((40 + 2))"}')
const commands = ran.items.filter((item) => item.type === 'command_execution')
assert.equal(commands.length, 1)
assert.equal(commands[0].exit_code, 0, JSON.stringify(commands))
assert.match(commands[0].aggregated_output, /kestrel-42/)
assert.match(ran.said, /^The tools said: [^]*kestrel-42/)
assert(ran.usage.input_tokens > 0 && ran.usage.output_tokens > 0)

assert.equal(run('resume', '--last', 'And now?').said, 'Good morning.', 'a second turn brings the first one with it')

const both = run('CALL multi_agent_v1__wait_agent {"targets": ["nobody"]}\nCALL exec_command {"cmd": "echo merlin"}')
assert.match(both.said, /invalid agent id nobody[^]*merlin/, 'a tool in a namespace is called beside another one')

assert.match(run('CALL exec_command {"cmd": oops').said, /failed to parse function arguments/, 'its repair runs')
