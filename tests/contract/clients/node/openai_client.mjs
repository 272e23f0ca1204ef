// The official Node client: models, chat, completions, responses, rerank's neighbours, and the errors of each.
import assert from 'node:assert/strict'
import OpenAI from 'openai'

const client = new OpenAI({ maxRetries: 0 })
const input = 'What is the capital of France?'
const told = 'The capital of France is Paris, on the Seine.'

const models = []
for await (const model of client.models.list()) models.push(model.id)
assert.match(models[0], /^rag:/)
assert.equal((await client.models.retrieve('talker')).id, 'talker')
await assert.rejects(client.models.retrieve('nobody'), (error) => error.status === 404 && error.code === 'model_not_found')

const runner = client.chat.completions.stream({ model: 'talker', messages: [{ role: 'user', content: input }] })
assert.equal(await runner.finalContent(), told)
const cited = await client.chat.completions.create({ model: 'rag:handbook', messages: [{ role: 'user', content: input }] })
assert.equal(cited.choices[0].message.annotations.length, 1)

assert.equal((await client.completions.create({ model: 'talker', prompt: input })).choices[0].text, told)
let streamed = ''
for await (const chunk of await client.completions.create({ model: 'talker', prompt: input, stream: true })) {
  streamed += chunk.choices[0]?.text ?? ''
}
assert.equal(streamed, told)

const response = await client.responses.create({ model: 'talker', input })
assert.equal(response.output_text, told)
const events = []
const stream = client.responses.stream({ model: 'rag:handbook', input })
for await (const event of stream) events.push(event.type)
assert.equal((await stream.finalResponse()).output[0].content[0].annotations[0].type, 'file_citation')
assert.equal(events.at(-1), 'response.completed')
const asked = await client.responses.create({ model: 'talker', input, store: true })
assert.equal(asked.store, false)
await assert.rejects(client.responses.create({ model: 'talker', input, previous_response_id: asked.id }), /previous_response_id/)

const vectors = await client.embeddings.create({ model: 'words', input: ['a', 'b'] })
assert.equal(vectors.data.length, 2)
