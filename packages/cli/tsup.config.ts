import { library } from '../../tsup.base.ts'

export default library(['src/main.ts', 'src/cli.ts', 'src/supervisor.ts'])
