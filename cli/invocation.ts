/** How this command was called, so that what is suggested works as it stands: in a checkout, through npx, or installed. */
export const invocation = (): string => {
  const event = process.env["npm_lifecycle_event"]
  return event === undefined ? "outcrop" : event === "npx" ? "npx outcrop" : "npm run -s outcrop --"
}
