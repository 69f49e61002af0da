// A backend as people write them: Express with its defaults, which fold case and
// a last slash, decode, and with the usual override of the method.
import { createRequire } from 'node:module'
import http from 'node:http'

const express = createRequire(process.argv[2] + '/')('express')
const app = express()
const careless = (name) => name.toLowerCase().replace(/[^a-z0-9]/g, '-')

app.use((req, res, next) => {
  const override = req.headers['x-http-method-override'] ?? req.query._method
  if (override) req.method = String(override).toUpperCase()
  next()
})
const log = (operation) => (req, res) => {
  const names = req.rawHeaders.filter((_, i) => i % 2 === 0).map(careless)
  const forged = names.filter((n, i) => (n + req.rawHeaders[2 * i + 1]).includes('evil')).join()
  const twice = names.filter((n) => n === 'authorization').length !== 1
  process.stdout.write(JSON.stringify({ operation, method: req.method, target: req.originalUrl, forged, twice }) + '\n')
  res.end(operation)
}
app.all('/admin/keys', log('admin'))
app.delete('/items/:id', log('remove'))
app.use(log('read'))
http.createServer(app).listen(0, '127.0.0.1', function () { console.log('listening on http://127.0.0.1:' + this.address().port) })
