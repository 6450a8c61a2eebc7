import { nearest } from '../nearest.ts'
import { settings } from './table.ts'

/** Variables of the `helm` client, which a shell that also deploys with it may have. */
const helmClient: ReadonlySet<string> = new Set([
  'HELM_BIN',
  'HELM_BURST_LIMIT',
  'HELM_CACHE_HOME',
  'HELM_COLOR',
  'HELM_CONFIG_HOME',
  'HELM_CONTENT_CACHE',
  'HELM_DATA_HOME',
  'HELM_DEBUG',
  'HELM_DRIVER',
  'HELM_DRIVER_SQL_CONNECTION_STRING',
  'HELM_EXPERIMENTAL_OCI',
  'HELM_HOST',
  'HELM_KUBEAPISERVER',
  'HELM_KUBEASGROUPS',
  'HELM_KUBEASUSER',
  'HELM_KUBECAFILE',
  'HELM_KUBECONTEXT',
  'HELM_KUBEINSECURE_SKIP_TLS_VERIFY',
  'HELM_KUBETLS_SERVER_NAME',
  'HELM_KUBETOKEN',
  'HELM_MAX_HISTORY',
  'HELM_NAMESPACE',
  'HELM_NO_PLUGINS',
  'HELM_PLUGINS',
  'HELM_PLUGIN_DIR',
  'HELM_PLUGIN_NAME',
  'HELM_QPS',
  'HELM_REGISTRY_CONFIG',
  'HELM_REPOSITORY_CACHE',
  'HELM_REPOSITORY_CONFIG',
])

/** What Kubernetes sets for a Service of the chart's name. */
const serviceLink = 'HELM_AI_KERNEL_'

/** A warning for each HELM_ variable that no setting is called, with the nearest one that is. */
export function unknownNames(environment: Readonly<Record<string, unknown>>): readonly string[] {
  const known = Object.values(settings).map(({ name }) => name)
  return Object.keys(environment)
    .filter((name) => name.startsWith('HELM_') && !name.startsWith(serviceLink))
    .filter((name) => !known.includes(name) && !helmClient.has(name))
    .sort()
    .map((name) => {
      const near = nearest(name, known)
      const hint = near === undefined ? '' : `; did you mean ${near}?`
      return `${name} is no setting and has no effect${hint}`
    })
}
