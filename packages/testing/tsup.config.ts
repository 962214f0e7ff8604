import { library } from '../../tsup.base.ts'

export default library([
  'src/index.ts',
  'src/conformance.ts',
  'src/simulation.ts',
  'src/torture/index.ts',
  'src/torture/worker.ts',
])
