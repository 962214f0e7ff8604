import type { Cancel } from './clock.ts'
import type { Engine } from './engine.ts'

/** While somebody waits: the store is listened to, the process stays alive, and now and then somebody looks. */
export class Vigil {
  readonly #engine: Engine
  #stayAlive: Cancel | undefined
  #cancelBackstop: Cancel | undefined

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Somebody waits; does nothing when somebody waited already. */
  begin(): void {
    if (this.#stayAlive !== undefined) return
    const { clock, hub, driver } = this.#engine
    hub.start()
    this.#stayAlive = clock.keepAlive()
    if (driver.manifest.backstopMs !== Number.POSITIVE_INFINITY) this.#armBackstop()
  }

  /** Nobody waits any more. */
  end(): void {
    this.#stayAlive?.()
    this.#stayAlive = undefined
    this.#cancelBackstop?.()
    this.#cancelBackstop = undefined
  }

  #armBackstop(): void {
    const { clock, driver, random, hub } = this.#engine
    this.#cancelBackstop = clock.schedule(
      () => {
        hub.lookAtSome()
        this.#armBackstop()
      },
      driver.manifest.backstopMs * (0.75 + random() / 2),
    )
  }
}
