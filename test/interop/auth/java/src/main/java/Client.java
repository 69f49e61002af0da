import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.oauth2.sdk.*;
import com.nimbusds.oauth2.sdk.as.AuthorizationServerMetadata;
import com.nimbusds.oauth2.sdk.auth.*;
import com.nimbusds.oauth2.sdk.http.HTTPRequest;
import com.nimbusds.oauth2.sdk.id.*;
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.net.ssl.*;

/** Gets tokens with the Nimbus SDK as it is published: private_key_jwt, then tls_client_auth. */
public final class Client {
    public static void main(String[] args) throws Exception {
        String issuer = args[0], caFile = args[1];
        SSLContext plain = context(caFile, null, null);
        HTTPRequest.setDefaultSSLSocketFactory(plain.getSocketFactory());
        AuthorizationServerMetadata server = AuthorizationServerMetadata.resolve(new Issuer(issuer));

        PrivateKey key = privateKey(args[3]);
        ClientAuthentication assertion =
            new PrivateKeyJWT(new ClientID(args[2]), URI.create(issuer), JWSAlgorithm.ES256, key, "k1", null);
        ask("private_key_jwt", server.getTokenEndpointURI(), assertion);

        SSLSocketFactory own = context(caFile, args[5], args[6]).getSocketFactory();
        URI mutual = server.getMtlsEndpointAliases().getTokenEndpointURI();
        ask("tls_client_auth", mutual, new PKITLSClientAuthentication(new ClientID(args[4]), own));
    }

    private static void ask(String what, URI endpoint, ClientAuthentication client) throws Exception {
        TokenRequest request = new TokenRequest(endpoint, client, new ClientCredentialsGrant(), new Scope("catalog.read"));
        TokenResponse response = TokenResponse.parse(request.toHTTPRequest().send());
        if (!response.indicatesSuccess()) {
            System.err.println(what + ": " + response.toErrorResponse().getErrorObject().toJSONObject());
            System.exit(1);
        }
        System.out.println(what + " " + response.toSuccessResponse().getTokens().getAccessToken().getValue());
    }

    private static SSLContext context(String caFile, String certFile, String keyFile) throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("ca", certificate(caFile));
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        KeyManager[] keys = null;
        if (certFile != null) {
            KeyStore own = KeyStore.getInstance("PKCS12");
            own.load(null, null);
            own.setKeyEntry("own", privateKey(keyFile), new char[0], new java.security.cert.Certificate[] {certificate(certFile)});
            KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            factory.init(own, new char[0]);
            keys = factory.getKeyManagers();
        }
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys, trust.getTrustManagers(), null);
        return context;
    }

    private static java.security.cert.Certificate certificate(String file) throws Exception {
        return CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(Files.readAllBytes(Path.of(file))));
    }

    private static PrivateKey privateKey(String file) throws Exception {
        String text = Files.readString(Path.of(file)).replaceAll("-----[A-Z ]+-----|\\s", "");
        return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(text)));
    }
}
