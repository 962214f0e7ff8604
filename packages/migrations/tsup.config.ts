import { library } from '../../tsup.base.ts'

export default library(['src/index.ts', 'src/command.ts', 'src/connection.ts', 'src/main.ts'])
