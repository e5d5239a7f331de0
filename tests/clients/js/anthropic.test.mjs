import assert from 'node:assert/strict'
import test from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { answer, capital, description, model, parameters, sum, url, user, weather } from './asked.mjs'

const client = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 })
const greedy = { model, max_tokens: 100, temperature: 0, thinking: { type: 'disabled' } }

test('a message, whole and streamed', async () => {
  const whole = await client.messages.create({ ...greedy, messages: user(capital) })
  assert.deepEqual(whole.content, [{ type: 'text', text: answer }])
  const stream = client.messages.stream({ ...greedy, messages: user(capital) })
  assert.equal(await stream.finalText(), answer)
  assert.equal((await stream.finalMessage()).stop_reason, 'end_turn')
})

test('thoughts with a signature, which can be sent back', async () => {
  const asked = { ...greedy, thinking: { type: 'enabled', budget_tokens: 1024 } }
  const stream = client.messages.stream({ ...asked, messages: user(sum) })
  const { content } = await stream.finalMessage()
  assert.deepEqual(content.map((block) => block.type), ['thinking', 'text'])
  assert.ok(content[0].signature)
  const messages = [...user(sum), { role: 'assistant', content }, ...user(capital)]
  const next = await client.messages.create({ ...asked, messages })
  assert.equal(next.stop_reason, 'end_turn')
})

test('a tool is called and its result is read', async () => {
  const tools = [{ name: 'get_weather', description, input_schema: parameters }]
  const asked = { ...greedy, tools }
  const { content, stop_reason } = await client.messages
    .stream({ ...asked, messages: user(weather) })
    .finalMessage()
  assert.equal(stop_reason, 'tool_use')
  assert.deepEqual(content[0].input, { city: 'Oslo' })
  const result = { type: 'tool_result', tool_use_id: content[0].id, content: 'Rain, 4 degrees' }
  const messages = [...user(weather), { role: 'assistant', content }, ...user([result])]
  const next = await client.messages.create({ ...asked, messages })
  assert.match(next.content[0].text, /Rain/)
})

test('tokens, models and errors', async () => {
  const { input_tokens } = await client.messages.countTokens({ model, messages: user(capital) })
  assert.ok(input_tokens > 5)
  const ids = []
  for await (const each of client.models.list()) ids.push(each.id)
  assert.ok(ids.includes('cria:latest'))
  await assert.rejects(client.messages.create({ ...greedy, model: 'nobody', messages: user('hi') }), {
    status: 404,
    type: 'not_found_error',
  })
})
