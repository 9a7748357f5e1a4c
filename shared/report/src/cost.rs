//! What work costs on AWS, in dollars: the one price list, and arithmetic over what was counted. Knows no clock, no stack
//! and no rounding but the last one; counting is the caller's.

use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;

/// List prices in picodollars (10⁻¹² dollars), so that sums stay whole numbers.
///
/// No free tier, discount or tax is in them, and no data transfer: what comes in from Microsoft Graph is free of charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Where they hold.
    pub region: &'static str,
    /// When they were read (`YYYY-MM`).
    pub read: &'static str,
    /// A second of one gigabyte on arm64. <https://aws.amazon.com/lambda/pricing/>
    pub lambda_gb_second: u64,
    /// An invocation.
    pub lambda_request: u64,
    /// A write request unit of an on-demand table. <https://aws.amazon.com/dynamodb/pricing/on-demand/>
    pub write_unit: u64,
    /// A read request unit.
    pub read_unit: u64,
    /// A GB-month of a table.
    pub table_gb_month: u64,
    /// A GB-month of point-in-time recovery, by the size of the table.
    pub recovery_gb_month: u64,
    /// A request of a standard queue: a send, a receipt, a deletion. <https://aws.amazon.com/sqs/pricing/>
    pub queue_request: u64,
    /// A call of an HTTP API. <https://aws.amazon.com/api-gateway/pricing/>
    pub api_request: u64,
    /// A call to the key service. <https://aws.amazon.com/kms/pricing/>
    pub key_request: u64,
    /// A key for a month.
    pub key_month: u64,
    /// A GB of logs taken in, metrics among them. <https://aws.amazon.com/cloudwatch/pricing/>
    pub log_gb: u64,
    /// An alarm of standard resolution for a month.
    pub alarm_month: u64,
    /// A metric of our own for a month.
    pub metric_month: u64,
    /// A dashboard for a month.
    pub dashboard_month: u64,
    /// A GB-month of plans and reports. <https://aws.amazon.com/s3/pricing/>
    pub blob_gb_month: u64,
}

/// The list of us-east-1.
pub const US_EAST_1: Prices = Prices {
    region: "us-east-1",
    read: "2026-11",
    lambda_gb_second: 13_333_400,
    lambda_request: 200_000,
    write_unit: 625_000,
    read_unit: 125_000,
    table_gb_month: 250_000_000_000,
    recovery_gb_month: 200_000_000_000,
    queue_request: 400_000,
    api_request: 1_000_000,
    key_request: 3_000_000,
    key_month: 1_000_000_000_000,
    log_gb: 500_000_000_000,
    alarm_month: 100_000_000_000,
    metric_month: 300_000_000_000,
    dashboard_month: 3_000_000_000_000,
    blob_gb_month: 23_000_000_000,
};

/// Memory of each function, as `infra/template.yaml` gives it.
pub const FUNCTION_MB: u64 = 512;

/// Requests of a queue for one message: sent, received, deleted. Batches of several need fewer.
pub const QUEUE_REQUESTS_A_MESSAGE: u64 = 3;

/// Bytes of log that one message leaves at the level `info`, Lambda's own three lines and the metrics among them.
pub const LOG_BYTES_A_MESSAGE: u64 = 3_000;

/// What was used. Calls to Microsoft Graph cost nothing by themselves; the time of waiting for them does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Units of the table.
    pub units: Units,
    /// Messages answered; each counts as an invocation.
    pub messages: u64,
    /// Milliseconds that functions worked or waited.
    pub worked_ms: u64,
    /// Memory they had.
    pub memory_mb: u64,
    /// Calls to the key service.
    pub key_requests: u64,
    /// Bytes of log.
    pub log_bytes: u64,
}

impl Used {
    /// What a run used, where only messages, calls, units and time were counted: functions of [`FUNCTION_MB`], a sealing and
    /// an opening for each token that was asked for, [`LOG_BYTES_A_MESSAGE`] for each message.
    pub fn of_run(units: Units, calls: &Counters, messages: u64, worked_ms: u64) -> Self {
        Self {
            units,
            messages,
            worked_ms,
            memory_mb: FUNCTION_MB,
            key_requests: calls.tokens.saturating_mul(2),
            log_bytes: messages.saturating_mul(LOG_BYTES_A_MESSAGE),
        }
    }
}

/// What is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CostItem {
    /// Writes of the table.
    Writes,
    /// Reads of the table.
    Reads,
    /// Time and invocations of functions.
    Functions,
    /// Requests of queues.
    Queues,
    /// Calls to the key service.
    Keys,
    /// Logs and the metrics in them.
    Logs,
}

impl CostItem {
    /// All, in the order they are shown.
    pub const ALL: [Self; 6] = [Self::Writes, Self::Reads, Self::Functions, Self::Queues, Self::Keys, Self::Logs];

    /// For tables and documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Writes => "table writes",
            Self::Reads => "table reads",
            Self::Functions => "functions",
            Self::Queues => "queues",
            Self::Keys => "key service",
            Self::Logs => "logs",
        }
    }
}

/// Millionths of a dollar, by item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dollars {
    /// Each item that is paid for, in the order of [`CostItem::ALL`]; those that cost nothing are there with 0.
    pub items: Vec<(CostItem, u64)>,
}

impl Dollars {
    /// All of them together, in millionths of a dollar.
    pub fn micros(&self) -> u64 {
        self.items.iter().map(|(_, micros)| micros).sum()
    }
}

/// What a run cost. Items are rounded to the nearest millionth of a dollar, and the sum is theirs.
pub fn of_run(used: &Used, prices: &Prices) -> Dollars {
    let cost = |item: CostItem| match item {
        CostItem::Writes => times(used.units.write, prices.write_unit),
        CostItem::Reads => times(used.units.read, prices.read_unit),
        CostItem::Functions => {
            let gb_ms = times(used.worked_ms.saturating_mul(used.memory_mb), prices.lambda_gb_second);
            gb_ms / (1024 * 1000) + times(used.messages, prices.lambda_request)
        }
        CostItem::Queues => times(used.messages.saturating_mul(QUEUE_REQUESTS_A_MESSAGE), prices.queue_request),
        CostItem::Keys => times(used.key_requests, prices.key_request),
        CostItem::Logs => times(used.log_bytes, prices.log_gb) / 1_000_000_000,
    };
    Dollars { items: CostItem::ALL.into_iter().map(|item| (item, micros(cost(item)))).collect() }
}

/// Dollars as text: cents where it is a dollar or more, else as many digits as the sum has: `$12.40`, `$0.0312`,
/// `$0.000004`.
pub fn dollars(micros: u64) -> String {
    match micros {
        0 => "$0.00".to_owned(),
        1_000_000.. => format!("${:.2}", as_dollars(micros)),
        10_000.. => format!("${:.4}", as_dollars(micros)),
        _ => format!("${:.6}", as_dollars(micros)),
    }
}

fn times(count: u64, picodollars: u64) -> u128 {
    u128::from(count) * u128::from(picodollars)
}

fn micros(picodollars: u128) -> u64 {
    u64::try_from((picodollars + 500_000) / 1_000_000).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
fn as_dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_costs_what_the_list_says() {
        // A million of each is what the pricing pages are written in.
        let million = 1_000_000;
        let used = Used {
            units: Units { read: million, write: million },
            messages: million,
            worked_ms: 1000 * million,
            memory_mb: 1024,
            key_requests: million,
            log_bytes: 1_000_000_000,
        };
        let cost = of_run(&used, &US_EAST_1);
        let expected = [
            (CostItem::Writes, 625_000),
            (CostItem::Reads, 125_000),
            (CostItem::Functions, 13_333_400 + 200_000),
            (CostItem::Queues, 3 * 400_000),
            (CostItem::Keys, 3_000_000),
            (CostItem::Logs, 500_000),
        ];
        assert_eq!(cost.items, expected);
        assert_eq!(cost.micros(), expected.iter().map(|(_, micros)| micros).sum::<u64>());
    }

    #[test]
    fn what_was_not_counted_follows_from_what_was() {
        let calls = Counters { tokens: 3, requests: 900, ..Counters::default() };
        let used = Used::of_run(Units { read: 5, write: 7 }, &calls, 11, 13);
        assert_eq!((used.key_requests, used.log_bytes, used.memory_mb), (6, 11 * LOG_BYTES_A_MESSAGE, FUNCTION_MB));
        assert_eq!((used.units, used.messages, used.worked_ms), (Units { read: 5, write: 7 }, 11, 13));
        assert_eq!(of_run(&Used::default(), &US_EAST_1).micros(), 0);
    }

    #[test]
    fn no_count_is_too_large() {
        let most = Used { units: Units { read: u64::MAX, write: 0 }, ..Used::default() };
        assert_eq!(of_run(&most, &US_EAST_1).micros(), u64::MAX / 8 + 1);
    }

    #[test]
    fn small_sums_keep_their_digits() {
        let shown: Vec<String> = [0, 4, 9_999, 31_200, 999_949, 12_400_000].map(dollars).to_vec();
        assert_eq!(shown, ["$0.00", "$0.000004", "$0.009999", "$0.0312", "$0.9999", "$12.40"]);
    }
}
