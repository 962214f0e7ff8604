import { expect } from 'vitest'
import { test } from './scene.ts'

test.concurrent('migrate is the command of @slotkeeper/migrations, with its options and exit codes', async ({
  scene,
}) => {
  expect(await scene.finish(['migrate', '--help'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('baseline'),
  })
  const [code, stderr] = [125, expect.stringContaining('Did you mean verify?')]
  expect(await scene.finish(['migrate', 'verfy'])).toMatchObject({ code, stderr })
})
