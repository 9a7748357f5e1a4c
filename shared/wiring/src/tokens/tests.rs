//! A connection's client is given its own secrets, whatever its configuration says.

use super::*;

struct Everything;

#[async_trait]
impl SecretReader for Everything {
    async fn read(&self, _: &str) -> Result<SecretString, CredentialError> {
        Ok(SecretString::from("s3cret"))
    }
}

#[tokio::test]
async fn another_connections_secret_is_not_asked_for() {
    let own = OwnSecrets {
        all: Arc::new(Everything),
        limits: Arc::new(StackLimits::new("", "hm/").unwrap()),
        connection: ConnectionId::new("contoso"),
    };
    let of = |name: &str| format!("arn:aws:secretsmanager:eu-central-1:111122223333:secret:{name}");
    own.read(&of("hm/contoso/app-AbCdEf")).await.unwrap();
    for name in ["hm/contoso2/app-AbCdEf", "hm/fabrikam/app-AbCdEf", "app-AbCdEf"] {
        let refused = own.read(&of(name)).await.unwrap_err().to_string();
        assert!(refused.contains("not one of connection contoso"), "{refused}");
    }
}
