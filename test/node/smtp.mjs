// A mail server for tests: smtp-server with TLS and authentication. Settings are
// the one argument: {cert, key, implicit, plain, user, pass, refuse}. It prints
// {"port": "…"} when it listens, then one line for each mail: envelope, headers as
// they came, whether it came over TLS, and who had authenticated. It ends with its
// standard input.
import { readFileSync } from 'node:fs'
import { SMTPServer } from 'smtp-server'

const s = JSON.parse(process.argv[2])
const line = (o) => process.stdout.write(JSON.stringify(o) + '\n')
let refuse = Number(s.refuse ?? 0) // this many mails are put off first

const server = new SMTPServer({
  cert: s.cert && readFileSync(s.cert),
  key: s.key && readFileSync(s.key),
  secure: s.implicit === 'yes',
  hideSTARTTLS: s.plain === 'yes',
  authOptional: !s.user,
  authMethods: ['PLAIN', 'LOGIN'],
  disableReverseLookup: true,
  onAuth(auth, session, done) {
    if (auth.username !== s.user || auth.password !== s.pass) return done(new Error('no'))
    if (!session.secure) return done(new Error('the password came without TLS'))
    done(null, { user: auth.username })
  },
  onData(stream, session, done) {
    const parts = []
    stream.on('data', (b) => parts.push(b))
    stream.on('end', () => {
      if (refuse-- > 0) {
        const later = new Error('try again later')
        later.responseCode = 451
        return done(later)
      }
      line({
        from: session.envelope.mailFrom.address,
        to: session.envelope.rcptTo.map((r) => r.address).join(' '),
        tls: String(session.secure),
        user: String(session.user ?? ''),
        raw: Buffer.concat(parts).toString('latin1'),
      })
      done()
    })
  },
})
server.on('error', (e) => process.stderr.write(e.message + '\n'))
server.listen(0, '127.0.0.1', () => line({ port: String(server.server.address().port) }))
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
