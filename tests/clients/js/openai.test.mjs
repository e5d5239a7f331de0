import assert from 'node:assert/strict'
import test from 'node:test'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import { answer, capital, description, model, parameters, sum, tool, url, user, weather } from './asked.mjs'

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })
const greedy = { model, think: false, temperature: 0, max_completion_tokens: 100 }

test('a chat, whole and streamed', async () => {
  const reply = await client.chat.completions.create({ ...greedy, messages: user(capital) })
  assert.equal(reply.choices[0].message.content, answer)
  const stream = client.chat.completions.stream({
    ...greedy,
    messages: user(capital),
    stream_options: { include_usage: true },
  })
  const whole = await stream.finalChatCompletion()
  assert.equal(whole.choices[0].message.content, answer)
  assert.equal(whole.usage.completion_tokens, reply.usage.completion_tokens)
})

test('a tool is run and its result is read', async () => {
  const calls = []
  const runner = client.chat.completions.runTools({
    ...greedy,
    messages: user(weather),
    tools: [{
      type: 'function',
      function: {
        name: 'get_weather',
        description,
        parameters,
        parse: JSON.parse,
        function: async (given) => { calls.push(given); return 'Rain, 4 degrees' },
      },
    }],
  })
  assert.match(await runner.finalContent(), /Rain/)
  assert.deepEqual(calls, [{ city: 'Oslo' }])
})

test('a call is streamed', async () => {
  const stream = client.chat.completions.stream({ ...greedy, messages: user(weather), tools: [tool] })
  const { choices } = await stream.finalChatCompletion()
  assert.equal(choices[0].finish_reason, 'tool_calls')
  assert.deepEqual(JSON.parse(choices[0].message.tool_calls[0].function.arguments), { city: 'Oslo' })
})

test('a structured answer', async () => {
  const reply = await client.chat.completions.parse({
    ...greedy,
    messages: user(capital),
    response_format: zodResponseFormat(z.object({ city: z.string() }), 'city'),
  })
  assert.equal(typeof reply.choices[0].message.parsed.city, 'string')
})

test('responses, whole and streamed', async () => {
  const asked = { model, input: sum, temperature: 0, reasoning: { effort: 'low' } }
  const whole = await client.responses.create(asked)
  assert.match(whole.output_text, /37/)
  const streamed = await client.responses.stream(asked).finalResponse()
  assert.equal(streamed.output_text, whole.output_text)
  assert.deepEqual(streamed.output.map((each) => each.type), ['reasoning', 'message'])
  const next = await client.responses.create({
    model, input: 'Hello!', previous_response_id: whole.id, reasoning: { effort: 'none' },
  })
  assert.equal(next.previous_response_id, whole.id)
})

test('vectors, models and errors', async () => {
  const { data } = await client.embeddings.create({ model, input: ['a cat', 'a dog'] })
  assert.deepEqual(data.map((each) => each.embedding.length), [192, 192])
  assert.ok((await client.models.list()).data.some((each) => each.id === 'cria:latest'))
  await assert.rejects(
    client.chat.completions.create({ model: 'nobody', messages: user('hi') }),
    { status: 404, code: 'model_not_found' },
  )
})
