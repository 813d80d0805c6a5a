//! The identity provider of the tests, on a port of its own and a thread of its own.

use gateway::control::secrets::Secret;
use gateway::signin::{GOOGLE_ISSUER, ProviderOptions};
use identity_provider::{ClientOptions, serve};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CLIENT: &str = "tollgate-tests";
const SECRET: &str = "the secret of the tests";

pub struct IdentityProvider {
    address: String,
}

impl IdentityProvider {
    pub async fn start() -> Self {
        assert_eq!(GOOGLE_ISSUER, "https://accounts.google.com");
        let (tell, told) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap().to_string()).unwrap();
                let client = ClientOptions { client_id: CLIENT.to_owned(), client_secret: SECRET.to_owned() };
                serve(listener, client).await.unwrap();
            });
        });
        Self { address: told.await.unwrap() }
    }

    /// As Google, and as a provider of the configuration's own.
    pub fn options(&self) -> Vec<ProviderOptions> {
        let one = |id: &str, name: &str| ProviderOptions {
            id: id.to_owned(),
            name: name.to_owned(),
            issuer: format!("http://{}", self.address),
            client_id: CLIENT.to_owned(),
            client_secret: Secret::new(SECRET),
        };
        vec![one("google", "Google"), one("oidc:local", "Local")]
    }

    pub async fn set_person(&self, person: Value) {
        self.post("/person", &person).await;
    }

    pub async fn misbehave(&self, how: &str) {
        self.post("/misbehave", &Value::from(how)).await;
    }

    /// Goes where the gateway sent the browser, and answers with where the provider sends it back, without the host.
    pub async fn visit(&self, url: &str) -> String {
        let path = url.strip_prefix(&format!("http://{}", self.address)).expect("the browser is sent to the provider");
        let answer = self.talk(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address)).await;
        let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_else(|| panic!("{answer}"));
        location.strip_prefix("http://127.0.0.1:8080").expect("the browser is sent back").to_owned()
    }

    async fn post(&self, path: &str, body: &Value) {
        let body = body.to_string();
        let head = format!("POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json", self.address);
        let answer = self.talk(&format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }

    async fn talk(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}
