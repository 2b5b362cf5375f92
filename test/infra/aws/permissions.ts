/** Lists what the roles of a template may do, in lines that a person can check. */
import { findResources, flatten, type Template } from './synthesised.ts';

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: Record<string, Record<string, unknown>>;
}

const toList = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

/** Names that readers know, for resources of the template. */
const findName = (template: Template, logicalId: string): string => {
  const { Type, Properties } = template.Resources[logicalId] ?? { Type: '?', Properties: {} };
  const own = (name: unknown) => flatten(name).replace(/^enlist-[a-z0-9]+-/, '');
  switch (Type) {
    case 'AWS::DynamoDB::Table':
      return 'table';
    case 'AWS::SQS::Queue':
      return `queue ${own(Properties.QueueName)}`;
    case 'AWS::S3::Bucket':
      return 'bucket';
    case 'AWS::KMS::Key':
      return `${logicalId.startsWith('Vault') ? 'vault' : 'data'} key`;
    case 'AWS::Logs::LogGroup':
      return `log ${flatten(Properties.LogGroupName).split('/').at(-1)}`;
    case 'AWS::Lambda::Function':
      return `function ${own(Properties.FunctionName)}`;
    case 'AWS::SNS::Topic':
      return 'alarm topic';
    default:
      return `${Type} ${logicalId}`;
  }
};

const describeResource = (template: Template, resource: unknown): string => {
  const text = flatten(resource);
  const secret = /:secret:(.*)$/.exec(text);
  if (secret) return `secrets ${secret[1]}`;
  const withNames = text.replace(/\$\{(\w+)\}/g, (all, id) =>
    id in template.Resources ? findName(template, id) : all,
  );
  return withNames.replace(/^bucket\//, 'objects ').replace(/^table\/index\//, 'index ');
};

const describeCondition = ({ Condition }: Statement): string => {
  if (!Condition) return '';
  const service = flatten(Condition.StringEquals?.['kms:ViaService'] ?? '').split('.')[0];
  if (Condition.BoolIfExists?.['secretsmanager:ForceDeleteWithoutRecovery'] === 'false')
    return ' with recovery';
  return service ? ` through ${service}` : ` if ${JSON.stringify(Condition)}`;
};

const listLines = (template: Template, statement: Statement): string[] =>
  toList(statement.Action).flatMap((action) =>
    toList(statement.Resource).map(
      (resource) => `${action} on ${describeResource(template, resource)}${describeCondition(statement)}`,
    ),
  );

const listStatements = (template: Template, roleId: string): Statement[] => {
  const inline = template.Resources[roleId]?.Properties.Policies ?? [];
  const policies = findResources(template, 'AWS::IAM::Policy').filter(([, { Properties }]) =>
    JSON.stringify(Properties.Roles).includes(`"${roleId}"`),
  );
  return [...inline, ...policies.map(([, { Properties }]) => Properties)].flatMap(
    ({ PolicyDocument }) => PolicyDocument.Statement,
  );
};

/** The logical id of each function's role, by the function's short name. */
export const functionRoles = (template: Template): Readonly<Record<string, string>> =>
  Object.fromEntries(
    findResources(template, 'AWS::Lambda::Function').map(([, { Properties }]) => [
      flatten(Properties.FunctionName).split('-').at(-1),
      Properties.Role['Fn::GetAtt'][0],
    ]),
  );

/** Sorted lines: `<action> on <resource>[ through <service>]`. A Deny or a managed policy stands out. */
export const listPermissions = (template: Template, roleId: string): readonly string[] => {
  const managedArns = (template.Resources[roleId]?.Properties.ManagedPolicyArns ?? []) as unknown[];
  const lines = listStatements(template, roleId).flatMap((statement) =>
    listLines(template, statement).map((line) => (statement.Effect === 'Allow' ? line : `DENIED ${line}`)),
  );
  return [...new Set([...lines, ...managedArns.map((arn) => `everything of ${flatten(arn)}`)])].sort();
};
