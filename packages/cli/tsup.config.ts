import { library } from '../../tsup.base.ts'

/** A command: nobody imports it, so it has no declarations. */
export default { ...library(['src/main.ts', 'src/cli.ts', 'src/supervisor.ts']), dts: false }
