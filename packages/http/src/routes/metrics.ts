import type { MetricsOptions } from '../options.ts'
import { type Resource, resource } from '../route.ts'

/** `GET /metrics`: every metric in the text form of Prometheus. Whoever reaches its port may read it. */
export function metricsResource({ metrics }: Pick<MetricsOptions, 'metrics'>): Resource {
  return resource('/metrics', {
    GET: {
      access: 'anyone',
      async handle() {
        const { contentType, body } = await metrics()
        return { status: 200, headers: { 'content-type': contentType }, body }
      },
    },
  })
}
