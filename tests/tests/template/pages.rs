//! The pages, as the world reaches them.

use serde_json::{Value, json};

use crate::expanded::{number, of_type, properties, target};

#[test]
fn the_pages_are_native_routes_that_only_the_gateway_may_call() {
    assert_eq!(properties("Api")["ProtocolType"], "HTTP");
    assert!(properties("Api")["Body"].is_null(), "routes in a body are seen by no linter");
    let routes: Vec<(&Value, Option<&str>)> = of_type("AWS::ApiGatewayV2::Route")
        .into_iter()
        .map(|(_, route)| (&route["RouteKey"], target(&route["Target"])))
        .collect();
    assert_eq!(routes.len(), 2, "{routes:?}");
    for (path, of) in [("connect", "Connect"), ("connections", "Webhook")] {
        let integration = format!("{of}Integration");
        assert!(routes.contains(&(&json!(format!("ANY /{path}/{{proxy+}}")), Some(&integration))), "{routes:?}");
        let integration = properties(&integration);
        assert_eq!(target(&integration["IntegrationUri"]), Some(&*format!("{of}Function")));
        assert_eq!(integration["PayloadFormatVersion"], "2.0");
        let waits = number(&integration["TimeoutInMillis"]);
        assert!(waits >= 1000 * number(&properties(&format!("{of}Function"))["Timeout"]), "{of} is cut off");
        let permission = properties(&format!("{of}Permission"));
        assert_eq!(permission["Principal"], "apigateway.amazonaws.com");
        let from = format!("${{Api}}/*/*/{path}/*");
        assert!(permission["SourceArn"]["Fn::Sub"].as_str().is_some_and(|arn| arn.ends_with(&from)), "{of}");
    }
    let webhook = &properties("ApiStage")["RouteSettings"]["ANY /connections/{proxy+}"];
    assert!(number(&webhook["ThrottlingRateLimit"]) <= 100, "anybody may try tokens out");
    assert!(number(&webhook["ThrottlingBurstLimit"]) <= 200, "anybody may try tokens out");
    let limits = &properties("ApiStage")["DefaultRouteSettings"];
    assert!(number(&limits["ThrottlingRateLimit"]) <= 100, "anybody may call the pages");
    assert!(number(&limits["ThrottlingBurstLimit"]) <= 100, "anybody may call the pages");
    // So many answers at a time at most: an account of a thousand has room for the work beside them.
    let hanging = number(&limits["ThrottlingRateLimit"]) * number(&properties("ConnectFunction")["Timeout"]);
    assert!(hanging + number(&limits["ThrottlingBurstLimit"]) <= 100, "{hanging} pages at a time");
}

#[test]
fn the_access_log_tells_nothing_of_who_asked() {
    let settings = &properties("ApiStage")["AccessLogSettings"];
    assert_eq!(target(&settings["DestinationArn"]), Some("ApiLogs"));
    let format: Value = serde_json::from_str(settings["Format"].as_str().expect("a format")).expect("JSON");
    let mut told: Vec<&str> = format.as_object().expect("fields").values().filter_map(Value::as_str).collect();
    told.sort_unstable();
    // No path (it holds tickets and keys of people), no query (codes of Microsoft's), no address, no browser.
    let harmless = [
        "$context.integrationErrorMessage",
        "$context.requestId",
        "$context.requestTimeEpoch",
        "$context.responseLatency",
        "$context.routeKey",
        "$context.status",
    ];
    assert_eq!(told, harmless);
    // <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-CWL.html>
    let group = properties("ApiLogs")["LogGroupName"]["Fn::Sub"].as_str().expect("a name");
    assert!(group.starts_with("/aws/vendedlogs/"), "{group} takes room in a policy that accounts run out of");
    assert_eq!(properties("ApiLogs")["RetentionInDays"], json!({"Ref": "LogRetentionDays"}));
}
