// The Vercel AI SDK, with its provider for APIs like OpenAI's and with one for Ollama.
import assert from 'node:assert/strict'
import test from 'node:test'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { embedMany, generateText, Output, stepCountIs, streamText, tool } from 'ai'
import { createOllama } from 'ollama-ai-provider-v2'
import { z } from 'zod'
import { answer, capital, description, model as name, sum, url, weather } from './asked.mjs'

const compatible = createOpenAICompatible({
  name: 'puna',
  baseURL: `${url}/v1`,
  apiKey: 'none',
  includeUsage: true,
  supportsStructuredOutputs: true,
})
const ollama = createOllama({ baseURL: `${url}/api` })
const thinks = (think) => ({ ollama: { think }, puna: { think } })

for (const [provider, make] of Object.entries({ compatible, ollama })) {
  const asked = {
    model: make(name),
    temperature: 0,
    maxOutputTokens: 100,
    maxRetries: 0,
    providerOptions: thinks(false),
  }

  test(`${provider}: an answer, whole and streamed`, async () => {
    const whole = await generateText({ ...asked, prompt: capital })
    assert.equal(whole.text, answer)
    assert.ok(whole.usage.outputTokens > 5)
    const stream = streamText({ ...asked, prompt: capital })
    let said = ''
    for await (const piece of stream.textStream) said += piece
    assert.equal(said, answer)
    assert.equal(await stream.finishReason, 'stop')
  })

  test(`${provider}: thoughts`, async () => {
    const reply = await generateText({ ...asked, prompt: sum, providerOptions: thinks(true) })
    assert.match(reply.text, /37/)
    assert.ok(reply.reasoningText)
  })

  test(`${provider}: a tool is run and its result is read`, async () => {
    const tools = {
      get_weather: tool({
        description,
        inputSchema: z.object({ city: z.string() }),
        execute: async ({ city }) => `Rain in ${city}, 4 degrees`,
      }),
    }
    const reply = await generateText({ ...asked, prompt: weather, tools, stopWhen: stepCountIs(2) })
    assert.deepEqual(reply.steps[0].toolCalls[0].input, { city: 'Oslo' })
    assert.match(reply.text, /Rain/)
  })

  test(`${provider}: a structured answer`, async () => {
    const output = Output.object({ schema: z.object({ city: z.string() }) })
    const reply = await generateText({ ...asked, prompt: capital, output })
    assert.equal(typeof reply.output.city, 'string')
  })

  test(`${provider}: vectors`, async () => {
    const values = ['a cat', 'a dog']
    const { embeddings } = await embedMany({ model: make.embeddingModel(name), values })
    assert.deepEqual(embeddings.map((each) => each.length), [192, 192])
  })
}
