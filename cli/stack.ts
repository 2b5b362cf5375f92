/** What a deployed stack says of itself. */
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { awsRefusal, Refusal } from './failure.ts';
import type { Identity } from './signing.ts';

/** Where to look, by the usual ways of AWS: what is absent comes from the environment and ~/.aws. */
export interface AwsPlace {
  readonly stage: string;
  readonly region?: string;
  readonly profile?: string;
}

export const stackName = (stage: string): string => `enlist-${stage}`;

/** Options for any client of the AWS SDK. */
export const clientOptions = ({ region, profile }: AwsPlace) => ({
  ...(region !== undefined && { region }),
  ...(profile !== undefined && { profile }),
  maxAttempts: 3,
});

/** The operator's own credentials. */
export const operatorCredentials = ({ profile, region }: AwsPlace): (() => Promise<Identity>) => {
  const provider = fromNodeProviderChain({
    ...(profile !== undefined && { profile }),
    ...(region !== undefined && { clientConfig: { region } }),
  });
  return async () => {
    try {
      return await provider();
    } catch (error) {
      throw awsRefusal('Finding AWS credentials', error);
    }
  };
};

export interface Stack {
  readonly region: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** Throws Refusal when there is no such stack or AWS says no. */
export const describeStack = async (place: AwsPlace): Promise<Stack> => {
  const StackName = stackName(place.stage);
  const client = new CloudFormationClient(clientOptions(place));
  try {
    const region = await client.config.region();
    const { Stacks } = await client.send(new DescribeStacksCommand({ StackName })).catch((error: unknown) => {
      if (!(error instanceof Error) || !/does not exist/.test(error.message)) throw error;
      throw new Refusal(
        `There is no stack ${StackName} in ${region}. Deploy it, or give --stage, --region or --profile of another, or --api URL.`,
      );
    });
    const outputs = (Stacks?.[0]?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [
      OutputKey,
      OutputValue,
    ]);
    return { region, outputs: Object.fromEntries(outputs) };
  } catch (error) {
    throw error instanceof Refusal ? error : awsRefusal(`Looking for the stack ${StackName}`, error);
  } finally {
    client.destroy();
  }
};

/** The region that the environment and ~/.aws name. Throws Refusal when they name none. */
export const usualRegion = async (place: AwsPlace): Promise<string> => {
  const client = new CloudFormationClient(clientOptions(place));
  try {
    return await client.config.region();
  } catch (error) {
    throw awsRefusal('Finding the AWS region', error);
  } finally {
    client.destroy();
  }
};
