/** Looks a deployed stack up, with the operator's own AWS credentials. */
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { createAwsError, RequestError } from './errors.ts';

/** Which stack, region and profile: what is absent comes from the environment and ~/.aws. */
export interface AwsLocation {
  readonly stage: string;
  readonly region?: string;
  readonly profile?: string;
}

export const formatStackName = (stage: string): string => `enlist-${stage}`;

/** Options for any client of the AWS SDK. */
export const createClientOptions = ({ region, profile }: AwsLocation) => ({
  ...(region !== undefined && { region }),
  ...(profile !== undefined && { profile }),
  maxAttempts: 3,
});

export type CredentialsProvider = ReturnType<typeof fromNodeProviderChain>;

/** The operator's own credentials. */
export const createCredentialsProvider = ({ profile, region }: AwsLocation): CredentialsProvider => {
  const provider = fromNodeProviderChain({
    ...(profile !== undefined && { profile }),
    ...(region !== undefined && { clientConfig: { region } }),
  });
  return async () => {
    try {
      return await provider();
    } catch (error) {
      throw createAwsError('Finding AWS credentials', error);
    }
  };
};

export interface Stack {
  readonly region: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** Throws RequestError when there is no such stack or AWS refuses. */
export const describeStack = async (location: AwsLocation): Promise<Stack> => {
  const StackName = formatStackName(location.stage);
  const client = new CloudFormationClient(createClientOptions(location));
  try {
    const region = await client.config.region();
    const { Stacks } = await client.send(new DescribeStacksCommand({ StackName })).catch((error: unknown) => {
      if (!(error instanceof Error) || !/does not exist/.test(error.message)) throw error;
      throw new RequestError(
        `There is no stack ${StackName} in ${region}. Deploy it, or give the --stage, --region or --profile of another stack, or --api URL.`,
      );
    });
    const outputs = (Stacks?.[0]?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [
      OutputKey,
      OutputValue,
    ]);
    return { region, outputs: Object.fromEntries(outputs) };
  } catch (error) {
    throw error instanceof RequestError ? error : createAwsError(`Looking up the stack ${StackName}`, error);
  } finally {
    client.destroy();
  }
};

/** The region that the environment and ~/.aws name. Throws RequestError when they name none. */
export const findRegion = async (location: AwsLocation): Promise<string> => {
  const client = new CloudFormationClient(createClientOptions(location));
  try {
    return await client.config.region();
  } catch (error) {
    throw createAwsError('Finding the AWS region', error);
  } finally {
    client.destroy();
  }
};
