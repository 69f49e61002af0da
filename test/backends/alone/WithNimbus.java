import com.nimbusds.jose.*;
import com.nimbusds.jose.crypto.Ed25519Verifier;
import com.nimbusds.jose.jwk.*;
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jwt.*;
import com.nimbusds.jwt.proc.*;
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.Set;

/** Nimbus as its documentation shows it for Ed25519: told issuer, audience and algorithm. */
class WithNimbus {
    static boolean taken(String token, String jwks) throws Exception {
        var jwt = SignedJWT.parse(token);
        if (!JWSAlgorithm.EdDSA.equals(jwt.getHeader().getAlgorithm())) return false;
        var key = JWKSet.parse(jwks).getKeyByKeyId(jwt.getHeader().getKeyID());
        if (key == null || !jwt.verify(new Ed25519Verifier(key.toOctetKeyPair().toPublicJWK()))) return false;
        var exact = new JWTClaimsSet.Builder().issuer(System.getenv("ISSUER")).build();
        new DefaultJWTClaimsVerifier<>(System.getenv("AUDIENCE"), exact, Set.of("exp")).verify(jwt.getJWTClaimsSet(), null);
        return true;
    }

    public static void main(String[] args) throws IOException {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            try {
                var given = JSONObjectUtils.parse(line);
                System.out.println(taken((String) given.get("token"), (String) given.get("jwks")) ? "taken" : "refused");
            } catch (java.text.ParseException | JOSEException | com.nimbusds.jose.proc.BadJOSEException e) {
                System.out.println("refused");
            } catch (Throwable e) {
                System.out.println("crashed " + e.getClass().getSimpleName());
            }
        }
    }
}
