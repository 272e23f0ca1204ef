// The AI SDK: its OpenAI provider, which asks /v1/responses, its chat model, and the provider for compatible servers.
import assert from 'node:assert/strict'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateObject, generateText, stepCountIs, streamText, tool } from 'ai'
import { z } from 'zod'

const settings = { baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY }
const openai = createOpenAI(settings)
const compatible = createOpenAICompatible({ name: 'groundwork', ...settings, supportsStructuredOutputs: true })
const prompt = 'What is the capital of France?'
const told = 'The capital of France is Paris, on the Seine.'
const weather = tool({
  description: 'Weather of a city',
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
})
const kinds = { responses: (id) => openai(id), chat: (id) => openai.chat(id), compatible: (id) => compatible(id) }

for (const [kind, model] of Object.entries(kinds)) {
  const whole = await generateText({ model: model('talker'), prompt, maxRetries: 0 })
  assert.equal(whole.text, told, kind)
  assert.ok(whole.usage.outputTokens > 0, kind)
  let failure
  const stream = streamText({ model: model('talker'), prompt, maxRetries: 0, onError: ({ error }) => { failure = error } })
  let text = ''
  for await (const part of stream.textStream) text += part
  assert.equal(failure, undefined, kind)
  assert.equal(text, told, kind)

  const cited = await generateText({ model: model('rag:handbook'), prompt, maxRetries: 0 })
  assert.equal(cited.text, 'Yes. [1]', kind)
  if (kind !== 'compatible') assert.equal(cited.sources.length, 1, kind) // that provider drops annotations

  const options = kind === 'responses' ? { openai: { store: false } } : {}
  const acted = await generateText({
    model: model('talker'),
    prompt: 'How is the weather?',
    tools: { weather },
    stopWhen: stepCountIs(3),
    maxRetries: 0,
    providerOptions: options,
  })
  assert.deepEqual(acted.steps[0].toolCalls.map((call) => call.input), [{ city: 'Paris' }], kind)
  assert.equal(acted.text, 'It is sunny in Paris.', kind)

  const object = await generateObject({
    model: model('talker'), schema: z.object({ name: z.string() }), prompt: 'A name.', maxRetries: 0,
  })
  assert.equal(typeof object.object.name, 'string', kind)
}
const completed = await generateText({ model: compatible.completionModel('talker'), prompt, maxRetries: 0 })
assert.match(completed.text, /Paris/)
