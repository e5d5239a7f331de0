// What the clients ask, as in asked.py.
export const url = process.env.PUNA_URL
export const model = 'cria'
export const capital = 'What is the capital of Japan?'
export const answer = 'The capital of Japan is Tokyo.'
export const weather = 'What is the weather in Oslo?'
export const sum = 'What is 23 + 14?'
export const parameters = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
}
export const description = 'Get the weather of a city'
export const tool = { type: 'function', function: { name: 'get_weather', description, parameters } }
export const user = (content) => [{ role: 'user', content }]
