/** Version of every package, of the chart's app and of the kernel that receipts name. */
export const version = '0.5.6'
