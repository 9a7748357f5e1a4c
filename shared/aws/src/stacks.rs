//! A deployed stack by its name: what its template gave out.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;

use crate::aws::Aws;
use crate::failure::sentence;

/// The stack could not be found. Says what to look at.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// AWS was asked and refused, or did not answer.
    #[error("stack {name}: {cause}. Look at the name, the region and the account you are signed in to")]
    Unknown {
        /// The stack's name.
        name: String,
        /// Why.
        cause: String,
    },
    /// It is a stack of something else, or of a version that gave out less.
    #[error("stack {name} gives out no {output}. Deploy it again with infra/template.yaml of this version")]
    Lacks {
        /// The stack's name.
        name: String,
        /// The output that is missing.
        output: &'static str,
    },
}

/// The outputs of a stack.
#[derive(Clone, Debug)]
pub struct Stack {
    name: String,
    outputs: BTreeMap<String, String>,
}

impl Stack {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An output of the template.
    pub fn output(&self, output: &'static str) -> Result<String, StackError> {
        let found = self.outputs.get(output).cloned();
        found.ok_or_else(|| StackError::Lacks { name: self.name.clone(), output })
    }
}

impl Aws {
    /// The stack of this name, in the region and account of the caller's credentials.
    pub async fn stack(&self, name: &str) -> Result<Stack, StackError> {
        let unknown = |cause: String| StackError::Unknown { name: name.to_owned(), cause };
        let answer = Client::new(self.config()).describe_stacks().stack_name(name).send().await;
        let answer = answer.map_err(|error| unknown(sentence("cloudformation:DescribeStacks", name, &error)))?;
        let stack = answer.stacks.unwrap_or_default().into_iter().next();
        let stack = stack.ok_or_else(|| unknown("there is none of this name".to_owned()))?;
        let outputs = stack
            .outputs
            .unwrap_or_default()
            .into_iter()
            .filter_map(|output| Some((output.output_key?, output.output_value?)))
            .collect();
        Ok(Stack { name: name.to_owned(), outputs })
    }
}
