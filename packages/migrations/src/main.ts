#!/usr/bin/env node
import { runMigrateCommand } from './command.ts'

process.exitCode = await runMigrateCommand(process.argv.slice(2))
