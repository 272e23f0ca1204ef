// The official TypeScript client of MCP: tools with their output's form, defaults, a call that is cancelled.
import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const url = new URL(`${process.env.GATEWAY_URL}/mcp`)
const headers = { Authorization: `Bearer ${process.env.OPENAI_API_KEY}` }
const client = new Client({ name: 'test', version: '1' })
await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }))
const { tools } = await client.listTools()
assert.ok(tools.every((tool) => tool.outputSchema))
const found = await client.callTool({ name: 'search', arguments: { query: 'leave' } })
assert.ok(Array.isArray(found.structuredContent.hits))
const answer = await client.callTool({ name: 'ask', arguments: { question: 'How many days of leave?' } })
assert.equal(typeof answer.structuredContent.answer, 'string')
const leaving = new AbortController()
const cancelled = client.callTool({ name: 'ask', arguments: { question: 'Who approves it?' } }, undefined, { signal: leaving.signal })
leaving.abort('enough')
await assert.rejects(cancelled)
assert.equal((await client.callTool({ name: 'list_collections', arguments: {} })).structuredContent.collections.length, 3)
await client.close()
