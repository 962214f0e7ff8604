import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** Never written: the compiler is only told that it is there. */
const FILE = fileURLToPath(new URL('./manifest.ts', import.meta.url))

/** What a type of the module `kubernetes-models/…` says of a manifest: fields that there are not, and values of another kind. */
export function typeProblems(manifest: unknown, module: string, type: string): string[] {
  const options: ts.CompilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, types: [] },
    ...{ target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext },
  }
  const text = `import type { ${type} } from '${module}'\nexport const manifest: ${type} = ${JSON.stringify(manifest)}`
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (path) => path === FILE || fileExists(path)
  host.getSourceFile = (path, ...more) =>
    path === FILE ? ts.createSourceFile(path, text, ts.ScriptTarget.ES2023) : getSourceFile(path, ...more)
  const program = ts.createProgram([FILE], options, host)
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}
