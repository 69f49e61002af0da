import com.nimbusds.jose.util.JSONObjectUtils;
import com.sun.net.httpserver.*;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.Executors;

/** A backend that answers the calls of a Sallyport gateway, with Nimbus. */
final class Server {
    public static void main(String[] args) throws Exception {
        System.setProperty("sun.net.httpserver.nodelay", "true"); // else each answer waits 40 ms for an acknowledgement
        var env = System.getenv();
        var issuer = env.get("ISSUER");
        var url = env.getOrDefault("JWKS_URL", "");
        if (url.isEmpty()) url = issuer + "/.well-known/sallyport-gateway/jwks.json";
        if (!url.startsWith("https://")) throw new IllegalArgumentException("JWKS_URL must be https");
        var inner = new Inner(issuer, env.get("AUDIENCE"), url);
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(env.getOrDefault("PORT", "9000"))), 0);
        server.setExecutor(Executors.newFixedThreadPool(16));
        server.createContext("/", exchange -> answer(exchange, inner));
        server.start();
        System.out.println("listening on http://127.0.0.1:" + server.getAddress().getPort());
    }

    private static void answer(HttpExchange exchange, Inner inner) throws IOException {
        try (exchange) {
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            int status = 200;
            byte[] body;
            try {
                var lines = exchange.getRequestHeaders().getOrDefault("Authorization", List.of());
                if (lines.size() != 1 || !lines.get(0).startsWith("Bearer ")) throw new Exception("not exactly one token");
                var claims = inner.verify(lines.get(0).substring("Bearer ".length()));
                body = JSONObjectUtils.toJSONString(Map.of("sub", claims.getSubject())).getBytes(StandardCharsets.UTF_8);
            } catch (Exception | StackOverflowError e) { // whatever the reason, outside there is one answer
                status = 401;
                body = "{}".getBytes(StandardCharsets.UTF_8);
                exchange.getResponseHeaders().set("WWW-Authenticate", "Bearer error=\"invalid_token\"");
            }
            exchange.sendResponseHeaders(status, body.length);
            exchange.getResponseBody().write(body);
        }
    }
}
