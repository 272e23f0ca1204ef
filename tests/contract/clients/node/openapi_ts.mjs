// The client that @hey-api/openapi-ts makes of our document: every call without a warning, and it type-checks; ingest, and ask.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { tmpdir } from 'node:os'

const url = process.env.GATEWAY_URL
const folder = mkdtempSync(join(tmpdir(), 'openapi-ts-'))
const modules = resolve('node_modules')
symlinkSync(modules, join(folder, 'node_modules'))
const run = (program, ...given) => execFileSync(join(modules, '.bin', program), given, { cwd: folder, encoding: 'utf8' })

const config = { input: `${url}/openapi.json`, output: { path: 'src', importFileExtension: '.js' } }
writeFileSync(join(folder, 'openapi-ts.config.mjs'), `export default ${JSON.stringify(config)}`)
const said = run('openapi-ts', '--file', 'openapi-ts.config.mjs')
assert.doesNotMatch(said, /warn|⚠|error/i)
writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
run('tsc', 'src/index.ts', '--outDir', 'made', '--strict', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler', '--lib', 'es2022,dom,dom.iterable', '--skipLibCheck')

const sdk = await import(join(folder, 'made', 'index.js'))
const { client } = await import(join(folder, 'made', 'client.gen.js'))
client.setConfig({ baseUrl: url, auth: process.env.OPENAI_API_KEY, throwOnError: true })
const document = await (await fetch(`${url}/openapi.json`)).json()
for (const methods of Object.values(document.paths)) {
  for (const { operationId } of Object.values(methods)) {
    const name = operationId.replace(/_(\w)/g, (_, letter) => letter.toUpperCase())
    assert.equal(typeof sdk[name], 'function', name)
  }
}

const path = { name: 'typed' }
await sdk.createCollection({ body: path })
const text = 'Demo kits may be kept for 28 days. Then they go back to the depot in Leeds.'
let { job } = (await sdk.createDocument({ path, body: { text, title: 'Demo kits' } })).data
for (const until = Date.now() + 120_000; job.status !== 'ready'; ) {
  assert(Date.now() < until && !['failed', 'cancelled'].includes(job.status), JSON.stringify(job))
  await new Promise((again) => setTimeout(again, 100))
  job = (await sdk.getJob({ path: { id: job.id } })).data
}
const messages = [{ role: 'user', content: 'For how many days may demo kits be kept?' }]
const answer = (await sdk.createChatCompletion({ body: { model: 'rag:typed', messages } })).data
assert.match(answer.choices[0].message.content, /28 days/)
assert(answer.choices[0].message.annotations[0].url_citation.url.startsWith(`${url}/v1/collections/typed/documents/`))
