// Links between the files of the checkout: the file is there, the heading is there, and where the text of the link is code,
// that text stands in the file.
import { existsSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { markdownFiles, proseOf, read } from './markdown.mjs'
import { Failure, root } from './run.mjs'

export async function checkLinks() {
  const problems = (await markdownFiles()).flatMap((file) =>
    [...proseOf(file).matchAll(/\[((?:`[^`]*`|[^\]`])*)\]\(([^)\s]+)\)/g)].flatMap((link) => {
      const problem = wrongLink(file, link[1] ?? '', link[2] ?? '')
      const line = proseOf(file).slice(0, link.index).split('\n').length
      return problem ? [`${file}:${line}: ${problem}`] : []
    }),
  )
  if (problems.length > 0) throw new Failure(problems.join('\n'))
}

function wrongLink(file, text, target) {
  if (/^[a-z]+:/.test(target)) return undefined
  const [path = '', heading] = target.split('#')
  const file2 = path === '' ? file : normalize(join(dirname(file), path))
  if (!existsSync(join(root, file2))) return `there is no ${file2}`
  if (heading !== undefined && !headingsOf(file2).includes(heading))
    return `${file2} has no heading #${heading}`
  const quoted = /^`(.*)`$/.exec(text)?.[1]
  const isFile = statSync(join(root, file2)).isFile()
  if (quoted && isFile && / /.test(quoted) && !read(file2).includes(quoted))
    return `${file2} does not say "${quoted}"`
  return undefined
}

/** As GitHub names them. */
function headingsOf(file) {
  return [...proseOf(file).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  )
}
