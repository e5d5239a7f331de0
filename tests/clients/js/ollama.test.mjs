import assert from 'node:assert/strict'
import test from 'node:test'
import { Ollama } from 'ollama'
import { answer, capital, model, parameters, sum, tool, url, user, weather } from './asked.mjs'

const client = new Ollama({ host: url })
const greedy = { model, think: false, options: { temperature: 0, num_predict: 100 } }

test('a chat, whole and streamed', async () => {
  const reply = await client.chat({ ...greedy, messages: user(capital) })
  assert.equal(reply.message.content, answer)
  let said = ''
  for await (const piece of await client.chat({ ...greedy, messages: user(capital), stream: true })) {
    said += piece.message.content
  }
  assert.equal(said, answer)
})

test('a stream that is left', async () => {
  const stream = await client.chat({ ...greedy, messages: user(capital), stream: true })
  await assert.rejects(async () => {
    for await (const piece of stream) stream.abort()
  }, { name: 'AbortError' })
})

test('thoughts', async () => {
  const { message } = await client.chat({ ...greedy, think: true, messages: user(sum) })
  assert.match(message.content, /37/)
  assert.ok(message.thinking)
})

test('a tool is called', async () => {
  const { message } = await client.chat({ ...greedy, messages: user(weather), tools: [tool] })
  assert.deepEqual(message.tool_calls[0].function.arguments, { city: 'Oslo' })
})

test('a structured answer', async () => {
  const { message } = await client.chat({ ...greedy, messages: user(capital), format: parameters })
  assert.deepEqual(Object.keys(JSON.parse(message.content)), ['city'])
})

test('vectors, models and errors', async () => {
  const { embeddings } = await client.embed({ model, input: ['a cat', 'a dog'] })
  assert.deepEqual(embeddings.map((each) => each.length), [192, 192])
  assert.ok((await client.list()).models.some((each) => each.name === 'cria:latest'))
  assert.ok((await client.show({ model })).capabilities.includes('tools'))
  assert.equal((await client.ps()).models[0].model, 'cria:latest')
  await assert.rejects(client.chat({ model: 'nobody', messages: user('hi') }), {
    message: "model 'nobody' not found",
    status_code: 404,
  })
})
