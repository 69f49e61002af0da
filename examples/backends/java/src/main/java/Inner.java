import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.crypto.Ed25519Verifier;
import com.nimbusds.jose.jwk.*;
import com.nimbusds.jose.jwk.source.*;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.*;
import com.nimbusds.jwt.*;
import com.nimbusds.jwt.proc.*;
import java.net.URL;
import java.util.*;

/** The verification of the inner token. */
final class Inner {
    private static final Set<String> REQUIRED = Set.of("iss", "aud", "sub", "client_id", "iat", "exp", "jti");
    private final String audience;
    private final JWKSource<SecurityContext> keys;
    private final DefaultJWTClaimsVerifier<SecurityContext> rules;

    Inner(String issuer, String audience, String url) throws Exception {
        this.audience = audience;
        keys = JWKSourceBuilder.create(new URL(url)).cache(300_000, 15_000).refreshAheadCache(false).rateLimited(30_000).outageTolerant(900_000).build();
        rules = new DefaultJWTClaimsVerifier<>(audience, new JWTClaimsSet.Builder().issuer(issuer).build(), REQUIRED);
        rules.setMaxClockSkew(10);
    }

    JWTClaimsSet verify(String token) throws Exception {
        if (token.length() > 8192) throw new Exception("too long");
        var jwt = SignedJWT.parse(token);
        var kid = jwt.getHeader().getKeyID();
        // Nimbus reads JSON and base64url generously, and looks at no typ. The gateway spells both parts in one way: so do we.
        var header = new TreeMap<String, Object>(Map.of("alg", "EdDSA", "kid", kid, "typ", "sallyport-inner+jwt"));
        var payload = jwt.getPayload().toJSONObject();
        var expected = spelt(header) + "." + spelt(payload) + "." + Base64URL.encode(jwt.getSignature().decode());
        if (!token.equals(expected)) throw new Exception("not as the gateway spells it");

        // The key must be for this algorithm and use: Ed25519Verifier would take any Ed25519 key.
        var wanted = new JWKMatcher.Builder().keyID(kid).keyType(KeyType.OKP).curve(Curve.Ed25519).algorithm(JWSAlgorithm.EdDSA).keyUse(KeyUse.SIGNATURE).build();
        var found = keys.get(new JWKSelector(wanted), null);
        if (found.size() != 1 || !jwt.verify(new Ed25519Verifier(found.get(0).toOctetKeyPair()))) throw new Exception("no such key, or not signed by it");

        var claims = jwt.getJWTClaimsSet();
        rules.verify(claims, null);
        // Nimbus takes an audience among others, any lifetime and time of issue, null, and makes text of numbers.
        long iat = claims.getIssueTime().getTime(), life = claims.getExpirationTime().getTime() - iat;
        if (!audience.equals(payload.get("aud")) || payload.containsValue(null)) throw new Exception("for others too, or null");
        if (life <= 0 || life > 60_000 || iat > System.currentTimeMillis() + 10_000) throw new Exception("for too long, or not yet");
        for (var name : List.of("sub", "client_id", "jti"))
            if (!(payload.get(name) instanceof String text) || text.isEmpty()) throw new Exception(name + " is no text");
        if (!(payload.getOrDefault("scope", "") instanceof String)) throw new Exception("scope is no text");
        return claims;
    }

    private static String spelt(Map<String, Object> value) {
        return Base64URL.encode(JSONObjectUtils.toJSONString(value)).toString();
    }
}
