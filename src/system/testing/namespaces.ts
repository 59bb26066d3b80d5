import { errorMessage } from '#kernel';
import { namespacesAllowed } from '../namespaces.ts';
import { debianTools } from '../tools.ts';

/**
 * The tools for namespaces with links and nftables rules in them; `skip` is false where this machine makes such, and
 * otherwise the reason of a skip.
 */
export async function namespacesHere(): Promise<{
  readonly skip: string | false;
  readonly tools: { readonly ip: string; readonly nft: string };
}> {
  try {
    const { ip, nft } = await debianTools(['ip', 'nft'], { env: process.env });
    const tools = { ip: ip.path, nft: nft.path };
    const answer = await namespacesAllowed(process.env, tools);
    return { skip: answer.allowed ? false : `no namespaces: ${answer.reason}`, tools };
  } catch (error) {
    return { skip: `no namespaces: ${errorMessage(error)}`, tools: { ip: '', nft: '' } };
  }
}
